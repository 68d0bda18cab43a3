import { describe, expect, it } from 'vitest';
import { nextSort, queryOf } from './runFilter';

describe('the filter in the address', () => {
  it('is newest first when the address says nothing', () => {
    expect(queryOf(new URLSearchParams())).toEqual({ sort: '-created_at' });
  });
  it('keeps what the server understands', () => {
    const search = new URLSearchParams('state=failed&method=dimat&q=osaka&sort=arm');
    expect(queryOf(search)).toEqual({ sort: 'arm', state: 'failed', method: 'dimat', q: 'osaka' });
  });
  it('drops what nobody knows instead of asking the server for an error', () => {
    expect(queryOf(new URLSearchParams('state=broken&sort=name'))).toEqual({ sort: '-created_at' });
  });
  it('turns the order when a heading is pressed twice', () => {
    expect(nextSort('-created_at', 'arm')).toBe('arm');
    expect(nextSort('arm', 'arm')).toBe('-arm');
  });
});
