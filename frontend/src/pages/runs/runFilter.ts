/* The filter of the history as it stands in the address; what the server would not understand is left out. */

export const STATES = ['queued', 'running', 'completed', 'failed', 'cancelled'] as const;
export const METHODS = [
  'local_only',
  'plain_average',
  'federated_average',
  'dimat',
  'dimat_guarded',
  'weight_matching',
  'common_basis',
  'slowmo',
  'fisher',
  'regmean',
  'ridge_head',
] as const;
export const SORTS = [
  'created_at',
  '-created_at',
  'arm',
  '-arm',
  'method',
  '-method',
  'state',
  '-state',
  'bytes_exchanged',
  '-bytes_exchanged',
] as const;
export type Sort = (typeof SORTS)[number];

export interface RunFilter {
  sort: Sort;
  state?: (typeof STATES)[number];
  method?: (typeof METHODS)[number];
  pilot?: string;
  q?: string;
}

export function queryOf(search: URLSearchParams): RunFilter {
  const state = one(STATES, search.get('state'));
  const method = one(METHODS, search.get('method'));
  const pilot = search.get('pilot');
  const q = search.get('q');
  return {
    sort: one(SORTS, search.get('sort')) ?? '-created_at',
    ...(state ? { state } : {}),
    ...(method ? { method } : {}),
    ...(pilot ? { pilot } : {}),
    ...(q ? { q } : {}),
  };
}

/** The next order when a heading is pressed: rising, then falling. */
export function nextSort(now: Sort, column: string): Sort {
  return one(SORTS, now === column ? `-${column}` : column) ?? '-created_at';
}

function one<T extends string>(known: readonly T[], value: string | null): T | undefined {
  return known.find((item) => item === value);
}
