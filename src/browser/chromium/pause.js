(() => {
  // Scripts are stopped beside this. What is stopped here goes on by `resume.js`; what stood still before is left alone.
  globalThis.held ??= [];
  for (const film of document.querySelectorAll("video, audio")) {
    if (film.paused) continue;
    film.pause();
    held.push(film);
  }
  for (const motion of document.getAnimations()) {
    if (motion.playState !== "running") continue;
    motion.pause();
    held.push(motion);
  }
})()
