import { beforeAll, describe, expect, it, vi } from 'vitest';
import type * as Names from './copyName';

let names: typeof Names;
beforeAll(async () => {
  vi.stubGlobal('window', { location: { origin: 'http://awase.test' } });
  names = await import('./copyName');
});

describe('the name of a copy', () => {
  it('is free, however many copies were made in the same minute', () => {
    const taken = new Set<string>();
    for (let copy = 0; copy < 3; copy += 1) taken.add(names.freeName('ring', taken));
    expect([...taken]).toEqual(['ring-copy', 'ring-copy-2', 'ring-copy-3']);
  });
  it('fills a gap and leaves names that only look alike', () => {
    expect(names.freeName('ring', new Set(['ring-copy', 'ring-copy-3', 'ring-copy-2-more']))).toBe(
      'ring-copy-2',
    );
  });
  it('counts on when what is copied is a copy', () => {
    expect(names.stemOf('ring-copy')).toBe('ring');
    expect(names.stemOf('ring-copy-12')).toBe('ring');
    expect(names.stemOf('line-2026')).toBe('line-2026');
  });
  it('is never longer than a name may be', () => {
    const name = names.freeName(names.stemOf('a'.repeat(63)), new Set());
    expect(name.length).toBeLessThanOrEqual(63);
    expect(name).toMatch(/^[a-z0-9][a-z0-9._-]{0,62}$/);
  });
});
