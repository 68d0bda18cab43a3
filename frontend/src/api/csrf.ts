/* The token that shows the server that a change comes from our own page. A sign-in in another tab gives the browser a
   session with another token: then it is read anew, once, and the change is sent once more. */
import type { components } from './schema';

type Me = components['schemas']['Me'];
export const HEADER = 'X-CSRF-Token';
let known: { user: string; token: string | null } | null = null;

/** Who the pages show as signed in, and their token. */
export function rememberSession(me: Me | null): void {
  known = me && { user: me.user.id, token: me.csrf_token };
}

export function csrfToken(): string | null {
  return known?.token ?? null;
}

/** Sends a request; one that was refused for its token alone, and so changed nothing, a second time. */
export async function sent(
  request: Request,
  send: (request: Request) => Promise<Response>,
): Promise<Response> {
  const again = request.method === 'GET' ? null : request.clone();
  const answer = await send(request);
  if (!again || answer.status !== 403 || !(await isForToken(answer))) return answer;
  const me = await session(request.url, send);
  // Somebody else: nothing is done in their name on a page that still shows another.
  if (!me?.csrf_token || (known && known.user !== me.user.id)) return answer;
  rememberSession(me);
  again.headers.set(HEADER, me.csrf_token);
  return send(again);
}

async function isForToken(answer: Response): Promise<boolean> {
  const problem: unknown = await answer
    .clone()
    .json()
    .catch(() => null);
  return (
    typeof problem === 'object' &&
    problem !== null &&
    'code' in problem &&
    problem.code === 'csrf_token_wrong'
  );
}

async function session(url: string, send: (request: Request) => Promise<Response>): Promise<Me | null> {
  const answer = await send(new Request(new URL('/api/v1/session', url)));
  return answer.ok ? ((await answer.json()) as Me | null) : null;
}
