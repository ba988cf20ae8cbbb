(() => {
  // The style sheet is adopted, not part of the document, so the page does not change.
  if (globalThis.hidden) return;
  globalThis.hidden = new CSSStyleSheet();
  hidden.replaceSync("*, ::before, ::after, ::backdrop { cursor: none !important }");
  document.adoptedStyleSheets.push(hidden);
})()
