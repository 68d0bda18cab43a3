/* Who pressed "Save" in vain goes on at what is wrong, and not from the start of the page. */
import { useEffect, useRef, type RefObject } from 'react';

/** For the form: its first wrong input, else its first message, gets the focus whenever `error` is a new one. */
export function useFocusOnError(error: unknown): RefObject<HTMLFormElement | null> {
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (!error) return;
    const found = ['[aria-invalid="true"]', '[role="alert"]'].map((what) =>
      form.current?.querySelector<HTMLElement>(what),
    );
    found.find(Boolean)?.focus();
  }, [error]);
  return form;
}
