/* The width from which on a page has room beside its navigation; the style sheets use the same one. */
import { useMediaQuery } from '@mantine/hooks';

export const NARROW = '(max-width: 48em)';

export function useNarrow(): boolean {
  return useMediaQuery(NARROW, false, { getInitialValueInEffect: false });
}
