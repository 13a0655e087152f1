// Filters of the gallery and the ledger, kept in the address, and buttons that copy a command.
(() => {
  const filter = (form) => {
    const items = [...document.querySelectorAll("[data-item]")];
    const groups = [...document.querySelectorAll("[data-group]")];
    const controls = [...form.elements].filter((control) => control.name);
    const texts = new Map();
    const textOf = (item) => {
      if (!texts.has(item)) texts.set(item, item.textContent.toLowerCase());
      return texts.get(item);
    };
    const answers = (item, { name, value }) => {
      if (!value) return true;
      if (name !== "words") return JSON.parse(item.dataset[name]).includes(value);
      return value.toLowerCase().split(/\s+/).every((word) => textOf(item).includes(word));
    };
    const show = () => {
      items.forEach((item) => {
        item.hidden = !controls.every((control) => answers(item, control));
      });
      groups.forEach((group) => {
        group.hidden = !group.querySelector("[data-item]:not([hidden])");
      });
      const shown = items.filter((item) => !item.hidden).length;
      form.querySelector("output").textContent =
        `${shown} of ${items.length} ${form.dataset.filter}`;
    };
    const keep = () => {
      const address = new URL(location.href);
      controls.forEach(({ name, value }) => {
        if (value) address.searchParams.set(name, value);
        else address.searchParams.delete(name);
      });
      history.replaceState(history.state, "", address);
    };
    const wanted = new URL(location.href).searchParams;
    controls.forEach((control) => {
      control.value = wanted.get(control.name) || "";
      if (control.selectedIndex === -1) control.value = ""; // a value that no item has
    });
    form.addEventListener("input", () => (show(), keep()));
    form.addEventListener("reset", () => setTimeout(() => (show(), keep())));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    show();
  };

  const copy = async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const command = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(command.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(command); // no permission: the reader's keys can copy it
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  };

  const named = () => {
    try {
      return document.getElementById(decodeURIComponent(location.hash.slice(1)));
    } catch {
      return null; // "#%" is the address of nothing
    }
  };

  const reveal = (form) => {
    const target = named();
    if (!target) return;
    if (target.closest("[hidden]")) form.reset();
    setTimeout(() => target.scrollIntoView()); // after the form has appeared, or was reset
  };

  const start = () => {
    const form = document.querySelector("[data-filter][hidden]");
    if (!form) return;
    filter(form);
    document.querySelectorAll("[data-copy]").forEach((button) => (button.hidden = false));
    reveal(form);
  };

  document.addEventListener("click", copy);
  addEventListener("hashchange", () => {
    const form = document.querySelector("[data-filter]");
    if (form) reveal(form);
  });
  if (window.document$) window.document$.subscribe(start); // the theme changes pages by itself
  else if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
