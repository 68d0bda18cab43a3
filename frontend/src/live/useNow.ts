import { useEffect, useState } from 'react';

/** The present moment, renewed every `every_ms`: for "3 s ago". */
export function useNow(every_ms = 5000): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every_ms);
    return () => clearInterval(timer);
  }, [every_ms]);
  return now;
}
