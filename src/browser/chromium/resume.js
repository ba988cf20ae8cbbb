(() => {
  // A video may refuse to play.
  for (const moving of globalThis.held ?? []) moving.play()?.catch(() => null);
  globalThis.held = [];
})()
