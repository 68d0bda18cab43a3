/* Lists that are needed whole, such as the names of all sites: page after page, to the end. */
import { useQuery, type UseQueryOptions } from '@tanstack/react-query';

const PAGE = 200; // the most that the server gives at once
interface Part<Item> {
  items: Item[];
  next_cursor: string | null;
}
export interface Whole<Item> {
  items: Item[];
}
type Read<Item> = (query: { limit: number; cursor: string | null }) => Promise<{
  data?: Part<Item>;
  error?: unknown;
}>;

/** Every item of a list. Throws the problem of the first page that could not be read. Reads no further page once
    nobody wants the list any more. */
export async function all<Item>(read: Read<Item>, signal?: AbortSignal): Promise<Whole<Item>> {
  const items: Item[] = [];
  let cursor: string | null = null;
  do {
    signal?.throwIfAborted();
    const { data, error }: Awaited<ReturnType<Read<Item>>> = await read({ limit: PAGE, cursor });
    if (!data) throw error;
    items.push(...data.items);
    cursor = data.next_cursor;
  } while (cursor !== null);
  return { items };
}

/** As `api.useQuery`, of a list as a whole. `path`, with `of` for what it is read of: its key, so that `useRefresh`
    finds it. */
export function useAll<Item>(
  path: string,
  read: Read<Item>,
  of: Readonly<Record<string, unknown>> = {},
  options: Pick<UseQueryOptions<Whole<Item>>, 'staleTime' | 'placeholderData'> = {},
) {
  return useQuery({ ...options, queryKey: ['all', path, of], queryFn: ({ signal }) => all(read, signal) });
}
