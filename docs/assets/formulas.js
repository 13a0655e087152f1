// Sets the formulas of a page with KaTeX, which is loaded when the first one comes near the window.
(() => {
  const formulas = document.querySelectorAll(".arithmatex");
  if (!formulas.length) return;
  const folder = new URL("katex/", document.currentScript.src);
  let katex;

  function load() {
    katex ??= new Promise((resolve, reject) => {
      const style = document.createElement("link");
      style.rel = "stylesheet";
      style.href = new URL("katex.min.css", folder);
      const script = document.createElement("script");
      script.src = new URL("katex.min.js", folder);
      script.onload = () => resolve(window.katex);
      script.onerror = reject;
      document.head.append(style, script);
    });
    return katex;
  }

  async function set(element) {
    const source = element.textContent.trim();
    const display = source.startsWith("\\[");
    const { render } = await load();
    render(source.slice(2, -2), element, { displayMode: display, throwOnError: false });
  }

  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        watcher.unobserve(target);
        set(target);
      }
    },
    { rootMargin: "600px" },
  );
  for (const formula of formulas) watcher.observe(formula);
})();
