// Night mode before anything is drawn: a page that is opened again at the telescope never flashes.
(() => {
  const KEY = "autofocus.night";
  const root = document.documentElement;

  function remembered() {
    try { return localStorage.getItem(KEY) === "on"; } catch { return false; }
  }

  function set(on) {
    root.classList.toggle("night", on);
    document.getElementById("night-button")?.setAttribute("aria-pressed", String(on));
    try { localStorage.setItem(KEY, on ? "on" : "off"); } catch { /* private windows forget */ }
  }

  const toggle = () => set(!root.classList.contains("night"));
  set(remembered());

  document.addEventListener("DOMContentLoaded", () => {
    set(root.classList.contains("night"));
    document.getElementById("night-button").addEventListener("click", toggle);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "n" && !event.ctrlKey && !event.metaKey && !event.altKey) toggle();
  });
})();
