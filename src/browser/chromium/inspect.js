(() => {
  // Runs in an isolated world: prototypes that the page has replaced have no effect here.
  const ENOUGH = 4000;
  const DRAWN = new Set(["IMG", "CANVAS", "VIDEO", "IFRAME", "FRAME", "EMBED", "OBJECT", "INPUT", "BUTTON", "SELECT",
    "TEXTAREA", "METER", "PROGRESS", "HR"]);
  let seen = 0;
  const inView = (box) =>
    box.width > 0 && box.height > 0 && box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight;
  const paints = (element) => {
    const style = getComputedStyle(element);
    const colour = style.backgroundColor;
    return style.backgroundImage !== "none"
      || !(colour === "rgba(0, 0, 0, 0)" || colour === "transparent" || colour === "rgb(255, 255, 255)");
  };
  const shows = (element) => {
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
    // The background of the root covers the whole window, however small its box.
    if ((element === document.documentElement || element === document.body) && paints(element)) return true;
    if (!inView(element.getBoundingClientRect())) return false;
    if (DRAWN.has(element.tagName) || element.namespaceURI === "http://www.w3.org/2000/svg") return true;
    if (element.localName.includes("-") && !element.shadowRoot && !element.childNodes.length) return true;
    for (const child of element.childNodes) if (child.nodeType === Node.TEXT_NODE && /\S/.test(child.data)) return true;
    return paints(element);
  };
  const anything = (root) => {
    for (const element of root.querySelectorAll("*")) {
      // The built-in notice.
      if (element.localName === "ossuary-notice") continue;
      // A page with so many elements is not empty.
      if (++seen > ENOUGH) return true;
      if (shows(element) || (element.shadowRoot && anything(element.shadowRoot))) return true;
    }
    return false;
  };
  const entry = performance.getEntriesByType("navigation")[0];
  const isError = location.protocol === "chrome-error:";
  // The script of the error page writes the error code.
  const isLoading = isError ? document.readyState !== "complete" : document.readyState === "loading";
  return {
    url: location.href.slice(0, 2048),
    title: document.title.slice(0, 2048),
    painted: document.contentType.endsWith("html") ? anything(document) : true,
    loading: isLoading,
    visible: document.visibilityState === "visible",
    error: isError ? document.querySelector(".error-code")?.textContent.slice(0, 200) ?? "" : null,
    status: entry?.responseStatus ?? 0,
    view: [innerWidth, innerHeight],
    lacks: screen.width > outerWidth || screen.height > outerHeight ? [screen.width, screen.height] : null,
  };
})()
