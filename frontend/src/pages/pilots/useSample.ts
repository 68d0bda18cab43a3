/* The sample data set that the chosen sites hold, when it is the same one. */
import { api, type Schemas } from '../../api/client';

export function useSample(
  chosen: readonly string[],
  sites: readonly Schemas['Site'][],
): Schemas['Sample'] | undefined {
  const samples = api.useQuery('get', '/api/v1/samples', {}, { staleTime: Infinity });
  const held = sites.filter((site) => chosen.includes(site.name)).map((site) => site.data.dataset);
  return new Set(held).size === 1 ? samples.data?.find((one) => one.name === held[0]) : undefined;
}
