/* Who is signed in, and what they may do. */
import { useQuery, useQueryClient, type QueryClient } from '@tanstack/react-query';
import { api, http, type Schemas } from './client';
import { rememberSession } from './csrf';
import { isProblem } from './problems';
import { refetchNow } from './refetch';

const KEY = ['session'] as const;
export type Me = Schemas['Me'];

/** The signed-in person, or null. */
export function useMe(enabled = true) {
  return useQuery({ queryKey: KEY, queryFn: readSession, staleTime: 60_000, retry: 2, enabled });
}

async function readSession(): Promise<Me | null> {
  const { data, error } = await http.GET('/api/v1/session');
  if (error) throw error;
  rememberSession(data ?? null);
  return data ?? null;
}

export async function signIn(client: QueryClient, body: Schemas['SignIn']): Promise<void> {
  const { data, error } = await http.POST('/api/v1/session', { body });
  if (!data) throw error;
  rememberSession(data);
  client.clear();
  client.setQueryData(KEY, data);
}

export async function signOut(client: QueryClient): Promise<void> {
  const { error } = await http.DELETE('/api/v1/session');
  if (error && isProblem(error) && error.status !== 401) throw error;
  rememberSession(null);
  client.clear();
  client.setQueryData(KEY, null);
}

/** Whether the signed-in person has a permission; false until it is known. */
export function useMay(permission: string): boolean {
  const { data } = useMe();
  return data?.permissions.includes(permission) ?? false;
}

/** Refetches everything below these API paths, after a change of one's own. */
export function useRefresh() {
  const client = useQueryClient();
  return (...paths: string[]) => refetchNow(client, paths);
}

export function useHealth() {
  return api.useQuery(
    'get',
    '/api/v1/health',
    {},
    { refetchInterval: ({ state }) => (state.data?.starting ? 2000 : 10_000), retry: false },
  );
}
