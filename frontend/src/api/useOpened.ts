/* What a form was opened with: it stays that while the thing is changed elsewhere, or entries would be lost unseen and
   another person's change overwritten. */
import { useState } from 'react';

interface Query<T> {
  data: T | undefined;
  isFetching: boolean;
  isFetchedAfterMount: boolean;
  refetch: () => Promise<{ data: T | undefined; error: unknown }>;
}

/** `opened`: the first fresh answer, until `reopen` takes the present one; `times` is the key of its form. */
export function useOpened<T>(query: Query<T>) {
  const [opened, setOpened] = useState<{ value: T; times: number } | null>(null);
  // What is kept of an earlier visit may be old: the form waits for what is asked anew, but not for what events ask
  // for after that.
  const isFresh = query.isFetchedAfterMount || !query.isFetching;
  if (opened === null && query.data !== undefined && isFresh) {
    setOpened({ value: query.data, times: 0 });
  }
  const reopen = async () => {
    const { data, error } = await query.refetch();
    if (data !== undefined && !error) setOpened((known) => ({ value: data, times: (known?.times ?? 0) + 1 }));
  };
  return { opened, reopen };
}
