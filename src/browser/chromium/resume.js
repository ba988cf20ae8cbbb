(() => {
  // A film may refuse to play, as it may refuse anybody.
  for (const moving of globalThis.held ?? []) moving.play()?.catch(() => null);
  globalThis.held = [];
})()
