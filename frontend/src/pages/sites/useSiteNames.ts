/* All sites of this server and what people call them. */
import { api } from '../../api/client';

export function useSiteNames() {
  const query = api.useQuery(
    'get',
    '/api/v1/sites',
    { params: { query: { limit: 200 } } },
    { staleTime: 10_000 },
  );
  const byName = new Map(query.data?.items.map((site) => [site.name, site.display_name || site.name]));
  return { ...query, shown: (name: string) => byName.get(name) ?? name };
}
