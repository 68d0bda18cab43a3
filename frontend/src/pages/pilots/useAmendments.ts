/* The amendments of a pilot; while one waits for its decision they are asked for again. */
import { api } from '../../api/client';

const DECIDING_MS = 2000;

export function useAmendments(pilot: string) {
  return api.useQuery(
    'get',
    '/api/v1/pilots/{pilot_id}/amendments',
    { params: { path: { pilot_id: pilot } } },
    {
      refetchInterval: ({ state }) =>
        state.data?.items.some((one) => one.state === 'asked') ? DECIDING_MS : false,
    },
  );
}
