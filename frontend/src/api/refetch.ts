/* What the pages hold is asked for anew: after a change of one's own, and as events come in. No React here. */
import type { Query, QueryClient } from '@tanstack/react-query';

/** Queries below one of these API paths. */
function below(paths: readonly string[]) {
  return ({ queryKey }: Pick<Query, 'queryKey'>): boolean => {
    const path = queryKey[1];
    return typeof path === 'string' && paths.some((start) => path.startsWith(start));
  };
}

/** Asks at once, whatever is under way: that may be from before the change. Nobody waits for it: what was asked for has
    been done, and a form or a dialog closes with the answer to that. */
export function refetchNow(client: QueryClient, paths: readonly string[]): void {
  void client.invalidateQueries({ predicate: below(paths) });
}

/** For events, of which the next may come before the answer: a query that is under way goes to its end and is asked
    once more then. Begun anew with each event, a slow one would never come. */
export function refetcher(client: QueryClient): (paths: readonly string[]) => void {
  const onceMore = new Set<string>();
  return (paths) => {
    for (const { queryKey, queryHash, state } of client
      .getQueryCache()
      .findAll({ predicate: below(paths) })) {
      if (onceMore.has(queryHash)) continue;
      const ask = () => client.invalidateQueries({ queryKey, exact: true }, { cancelRefetch: false });
      const underWay = state.fetchStatus === 'fetching';
      const asked = ask();
      if (!underWay) continue;
      onceMore.add(queryHash);
      void asked.then(() => {
        onceMore.delete(queryHash);
        void ask();
      });
    }
  };
}
