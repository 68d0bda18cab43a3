import { afterEach, describe, expect, it, vi } from 'vitest';

afterEach(() => vi.unstubAllGlobals());

/** A launch that the server answers so, and the request that was sent. */
async function launched(status: number, code: string) {
  const sent: Request[] = [];
  vi.stubGlobal('window', { location: { origin: 'http://awase.test' } });
  vi.stubGlobal('fetch', (request: Request) => {
    sent.push(request);
    return Promise.resolve(Response.json({ code, status }, { status }));
  });
  const { launchPilot } = await import('./launchPilot');
  return { answer: launchPilot({ id: 'p', revision: 3 }, 'key'), sent };
}

describe('a launch', () => {
  it('says which revision the page shows', async () => {
    const { answer, sent } = await launched(201, '');
    expect(await answer).toBe(true);
    expect(sent[0]?.headers.get('If-Match')).toBe('W/"3"');
    expect(sent[0]?.headers.get('Idempotency-Key')).toBe('key');
  });
  it('tells a draft that was changed meanwhile from every other problem', async () => {
    expect(await (await launched(412, 'stale_revision')).answer).toBe(false);
    await expect((await launched(409, 'pilot_already_launched')).answer).rejects.toMatchObject({
      status: 409,
    });
  });
});
