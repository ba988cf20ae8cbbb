(async (picture) => {
  // A canvas, without image or style sheet, so that no content security policy of the page forbids it.
  const bytes = Uint8Array.from(atob(picture), (character) => character.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").drawImage(image, 0, 0);
  const style = {
    position: "fixed", inset: "0", width: "100vw", height: "100vh", margin: "0", "max-width": "none",
    "max-height": "none", "z-index": "2147483647", "pointer-events": "none", display: "block", visibility: "visible",
  };
  for (const [name, value] of Object.entries(style)) canvas.style.setProperty(name, value, "important");
  document.documentElement.append(canvas);
  // Frames are painted only once the page is on the screen.
  requestAnimationFrame(() => requestAnimationFrame(() => {
    const fade = canvas.animate([{ opacity: 1 }, { opacity: 0 }], { duration: 800, easing: "ease-in-out", fill: "forwards" });
    fade.finished.finally(() => canvas.remove());
  }));
})
