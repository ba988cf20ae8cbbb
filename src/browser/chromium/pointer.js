(() => {
  // Nobody points at a shop window. The sheet is not in the document, so the page is as it was.
  if (globalThis.hidden) return;
  globalThis.hidden = new CSSStyleSheet();
  hidden.replaceSync("*, ::before, ::after, ::backdrop { cursor: none !important }");
  document.adoptedStyleSheets.push(hidden);
})()
