// What the theme leaves out for the keyboard and for screen readers: the name of the search, and
// tables that scroll sideways and can be reached.
(() => {
  const search = document.querySelector(".md-search[role=dialog]");
  search?.setAttribute("aria-label", "Search");

  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  addEventListener("load", () => {
    for (const table of document.querySelectorAll(".md-typeset__scrollwrap")) sizes.observe(table);
  });
})();
