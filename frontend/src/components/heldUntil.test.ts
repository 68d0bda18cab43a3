import { describe, expect, it } from 'vitest';
import { heldUntil } from './heldUntil';

const DUE = '2026-01-05T05:46:00+00:00';
const waits = (code: string, opens: string) => ({
  code,
  params: { waiting: 'Nagoya', opens, zone: 'Asia/Tokyo' },
});

describe('a round that is due', () => {
  it('is held up by a window that opens later', () => {
    const opens = '2026-01-05T05:49:00+00:00';
    expect(heldUntil(waits('waiting_for_window', opens), DUE)).toBe(opens);
    expect(heldUntil(waits('waiting_for_window_at_start', opens), DUE)).toBe(opens);
  });
  it('is held up by nothing else', () => {
    expect(heldUntil(waits('waiting_for_window', '2026-01-05T05:40:00+00:00'), DUE)).toBeNull();
    expect(heldUntil({ code: 'merging', params: {} }, DUE)).toBeNull();
    expect(heldUntil(undefined, DUE)).toBeNull();
  });
});
