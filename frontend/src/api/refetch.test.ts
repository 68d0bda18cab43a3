import { QueryClient, QueryObserver } from '@tanstack/react-query';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { refetcher, refetchNow } from './refetch';

const SLOW_MS = 2500;
let client: QueryClient;
let asked: number;
let state: string;
let leave: () => void;

/** A page that shows the runs of a pilot, which take long to read. */
beforeEach(async () => {
  vi.useFakeTimers();
  client = new QueryClient();
  asked = 0;
  state = 'running';
  const shown = new QueryObserver(client, {
    queryKey: ['get', '/api/v1/pilots/{pilot_id}/runs', {}],
    queryFn: async () => {
      asked += 1;
      const read = state;
      await new Promise((come) => setTimeout(come, SLOW_MS));
      return read;
    },
  });
  leave = shown.subscribe(() => undefined);
  await vi.advanceTimersByTimeAsync(SLOW_MS);
});
afterEach(() => {
  leave();
  client.clear();
  vi.useRealTimers();
});
const told = () => client.getQueryData(['get', '/api/v1/pilots/{pilot_id}/runs', {}]);

it('comes although an event comes each second and the answer takes longer', async () => {
  const refetch = refetcher(client);
  state = 'paused';
  for (let second = 0; second < 3; second += 1) {
    refetch(['/api/v1/pilots/']);
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(told()).toBe('paused');
});

it('is asked once more after the last event, so that nothing stays unseen', async () => {
  const refetch = refetcher(client);
  refetch(['/api/v1/pilots/']);
  await vi.advanceTimersByTimeAsync(1000);
  state = 'paused'; // after the first was read
  for (let events = 0; events < 5; events += 1) refetch(['/api/v1/pilots/']);
  await vi.advanceTimersByTimeAsync(10 * SLOW_MS);
  expect(told()).toBe('paused');
  expect(asked).toBe(3);
});

it("after a change of one's own does not take what was read before it, and events do not hold that up", async () => {
  const refetch = refetcher(client);
  refetch(['/api/v1/pilots/']);
  await vi.advanceTimersByTimeAsync(1000);
  state = 'paused';
  refetchNow(client, ['/api/v1/pilots']);
  for (let second = 0; second < 3; second += 1) {
    await vi.advanceTimersByTimeAsync(900);
    refetch(['/api/v1/pilots/']);
  }
  expect(told()).toBe('paused');
});

it('leaves alone what lies elsewhere', async () => {
  refetcher(client)(['/api/v1/sites']);
  refetchNow(client, ['/api/v1/sites']);
  await vi.advanceTimersByTimeAsync(SLOW_MS);
  expect(asked).toBe(1);
});
