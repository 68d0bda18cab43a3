import { describe, expect, it } from 'vitest';
import { all } from './useAll';

/** A list of the server, of which a page holds two. */
function listOf(...items: number[]) {
  const asked: (string | null)[] = [];
  const read = ({ cursor }: { cursor: string | null }) => {
    asked.push(cursor);
    const from = Number(cursor ?? 0);
    const next = from + 2 < items.length ? String(from + 2) : null;
    return Promise.resolve({ data: { items: items.slice(from, from + 2), next_cursor: next } });
  };
  return { asked, read };
}

describe('a list that is needed whole', () => {
  it('is read to its end, each page once', async () => {
    const { asked, read } = listOf(1, 2, 3, 4, 5);
    expect(await all(read)).toEqual({ items: [1, 2, 3, 4, 5] });
    expect(asked).toEqual([null, '2', '4']);
  });
  it('may be empty', async () => {
    expect(await all(listOf().read)).toEqual({ items: [] });
  });
  it('is read no further once the page was left', async () => {
    const { asked, read } = listOf(1, 2, 3, 4, 5);
    const left = new AbortController();
    const reading = all((query) => (left.abort(), read(query)), left.signal);
    await expect(reading).rejects.toThrow();
    expect(asked).toEqual([null]);
  });
  it('is not shown in part when a later page cannot be read', async () => {
    const problem = { code: 'busy', status: 503 };
    const { read } = listOf(1, 2, 3);
    const breaking: typeof read = (query) =>
      query.cursor === null ? read(query) : (Promise.resolve({ error: problem }) as never);
    await expect(all(breaking)).rejects.toBe(problem);
  });
});
