(() => {
  // The driver pauses scripts. `resume.js` resumes what is paused here; what was already paused is left alone.
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
