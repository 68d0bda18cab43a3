import { beforeEach, describe, expect, it } from 'vitest';
import { csrfToken, HEADER, rememberSession, sent } from './csrf';

const me = (user: string, token: string) => ({
  user: { id: user, name: user },
  roles: [],
  permissions: [],
  csrf_token: token,
});

/** A server whose session is that of `user`; it takes changes with `token` only. */
function server(user: string, token: string, says = token) {
  const seen: string[] = [];
  const send = async (request: Request) => {
    const body = await request.text();
    const { pathname } = new URL(request.url);
    seen.push(`${request.method} ${pathname} ${request.headers.get(HEADER) ?? ''} ${body}`.trim());
    if (request.method === 'GET') return Response.json(me(user, says));
    if (request.headers.get(HEADER) === token) return new Response(null, { status: 204 });
    return Response.json({ code: 'csrf_token_wrong', status: 403 }, { status: 403 });
  };
  return { seen, send };
}
const change = () =>
  new Request('http://awase.test/api/v1/sites', {
    method: 'POST',
    headers: { [HEADER]: csrfToken() ?? '' },
    body: '{"name":"a"}',
  });

describe('a change from a tab with the token of an older session', () => {
  beforeEach(() => rememberSession(me('anna', 'old')));

  it('is sent again, whole, with the token of the present one', async () => {
    const { seen, send } = server('anna', 'new');
    expect((await sent(change(), send)).status).toBe(204);
    expect(seen).toEqual([
      'POST /api/v1/sites old {"name":"a"}',
      'GET /api/v1/session',
      'POST /api/v1/sites new {"name":"a"}',
    ]);
    expect(csrfToken()).toBe('new');
  });
  it('is sent twice at most, and its problem can be read', async () => {
    const { seen, send } = server('anna', 'new', 'newer');
    const answer = await sent(change(), send);
    expect(await answer.json()).toMatchObject({ code: 'csrf_token_wrong' });
    expect(seen).toHaveLength(3);
  });
  it('is not done in the name of somebody else who has signed in', async () => {
    const { seen, send } = server('bert', 'new');
    expect((await sent(change(), send)).status).toBe(403);
    expect(seen).toHaveLength(2);
    expect(csrfToken()).toBe('old');
  });
  it('is not sent again for another refusal', async () => {
    let calls = 0;
    const answer = await sent(change(), () => {
      calls += 1;
      return Promise.resolve(Response.json({ code: 'permission_missing', status: 403 }, { status: 403 }));
    });
    expect(await answer.json()).toMatchObject({ code: 'permission_missing' });
    expect(calls).toBe(1);
  });
});
