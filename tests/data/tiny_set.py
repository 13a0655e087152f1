"""A small data set in the form that TensorFlow Datasets prepares."""

import builtins
import importlib.util
import io

import numpy as np

SIZES = {"train": 60, "test": 20}


def picture(index, split):
    """Every pixel differs from picture to picture, so that a mix-up shows."""
    shift = 100 if split == "test" else 0
    return (np.arange(48).reshape(4, 4, 3) * 3 + index + shift).astype(np.uint8)


def write_tiny(folder, image=picture, shape=(4, 4, 3), plain=None):
    """Prepares 4 x 4 PNG pictures in three classes; picture i is of i % 3.

    Without `image` there are labels alone; the feature `plain` is a mere array.
    """
    import tensorflow_datasets as tfds
    from PIL import Image

    def png(pixels):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        file.seek(0)
        return file

    class Tiny(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features: dict[str, object] = {"label": tfds.features.ClassLabel(num_classes=3)}
            if image is not None:
                features["image"] = tfds.features.Image(shape=shape)
            if plain is not None:
                size = () if plain == "label" else shape
                features[plain] = tfds.features.Tensor(shape=size, dtype=np.int32)
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, dl_manager):
            del dl_manager
            return {split: self._generate_examples(split) for split in SIZES}

        def _generate_examples(self, split):
            for i in range(SIZES[split]):
                example: dict[str, object] = {"label": i % 3}
                if image is not None:
                    pixels = image(i, split)
                    example["image"] = pixels.astype(np.int32) if plain == "image" else png(pixels)
                yield i, example

    builder = Tiny(data_dir=folder, file_format="array_record")
    builder.download_and_prepare()


def refuse_packages(monkeypatch, *packages):
    """Makes the import of packages fail, and nobody find them, as where they are not installed."""
    real, find = builtins.__import__, importlib.util.find_spec

    def refuse(module, *rest):
        if module.split(".")[0] in packages:
            raise ImportError(module)
        return real(module, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name.split(".")[0] in packages else find(name, *rest),
    )
