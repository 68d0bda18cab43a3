/* All sites of this server and what people call them. */
import { http } from '../../api/client';
import { useAll } from '../../api/useAll';

export function useSiteNames() {
  const query = useAll(
    '/api/v1/sites',
    (query) => http.GET('/api/v1/sites', { params: { query } }),
    {},
    { staleTime: 10_000 },
  );
  const byName = new Map(query.data?.items.map((site) => [site.name, site.display_name || site.name]));
  return { ...query, shown: (name: string) => byName.get(name) ?? name };
}
