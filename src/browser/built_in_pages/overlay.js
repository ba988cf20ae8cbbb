(name, link) => {
  const XHTML = "http://www.w3.org/1999/xhtml";
  const add = (place, className, text) => {
    const element = document.createElementNS(XHTML, "div");
    element.className = className;
    element.textContent = text;
    place.append(element);
    return element;
  };
  document.querySelector("ossuary-notice")?.remove();
  const host = document.createElementNS(XHTML, "ossuary-notice");
  for (const [property, value] of Object.entries({
    all: "initial", position: "fixed", inset: "auto auto 0 0", display: "block", width: "auto", height: "auto", margin: "0",
    padding: "0", border: "0", background: "none", overflow: "visible", "pointer-events": "none", "z-index": "2147483647",
  })) host.style.setProperty(property, value, "important");
  const root = host.attachShadow({ mode: "closed" });
  const style = new CSSStyleSheet();
  style.replaceSync(`
    .notice { position: relative; box-sizing: border-box; max-width: min(40em, 90vw); margin: 1.4em; padding: 1.1em 1.5em 1.1em 1.3em;
      display: grid; grid-template-columns: auto 1fr; gap: .1em .9em; align-items: center;
      border: 1px solid #383630; background: #121211; color: #d8d2c8; overflow-wrap: anywhere;
      font: max(13px, min(1.5vw, 2.6vh))/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", Arial, sans-serif; }
    @media (orientation: portrait) { .notice { font-size: max(13px, min(2.6vw, 1.5vh)); } }
    .notice::before, .notice::after { content: ""; position: absolute; width: .8em; height: .8em; border: 0 solid #3cc9b7; }
    .notice::before { top: 5px; left: 5px; border-width: 2px 0 0 2px; }
    .notice::after { right: 5px; bottom: 5px; border-width: 0 2px 2px 0; }
    .sign { grid-row: 1 / 3; width: .75em; height: .75em; border: .2em solid #f2bb62; border-right-color: transparent; border-radius: 50%; }
    .title { font-weight: 650; color: #f3eee6; }
    .more { font-size: .85em; color: #aca69b; }
    .way { grid-column: 2; margin-top: .3em; font: .75em/1.4 ui-monospace, "DejaVu Sans Mono", monospace; color: #8b857b; unicode-bidi: isolate; }
    .way:empty { display: none; }
  `);
  root.adoptedStyleSheets = [style];
  const notice = add(root, "notice", "");
  notice.setAttribute("role", "status");
  add(notice, "sign", "");
  add(notice, "title", "No connection right now");
  add(notice, "more", "This page continues automatically once the connection is back.");
  add(notice, "way", [name, link].filter(Boolean).join(" · "));
  host.popover = "manual";
  document.documentElement.append(host);
  host.showPopover?.();
  return true;
}
