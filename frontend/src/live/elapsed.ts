/* Seconds that go on while an answer is shown: what the server told, and what has passed here since. No clock of the
   day is read, since this machine's may be wrong or set meanwhile. No React here. */

const EVERY_MS = 1000;

/** Tells the seconds once a second, beginning a second from now. Returns what stops it. */
export function follow(
  seconds: number,
  tell: (seconds: number) => void,
  now: () => number = () => performance.now(),
): () => void {
  const began = now();
  const timer = setInterval(() => tell(seconds + (now() - began) / 1000), EVERY_MS);
  return () => clearInterval(timer);
}
