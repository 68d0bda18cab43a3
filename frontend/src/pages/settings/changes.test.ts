import { describe, expect, it } from 'vitest';
import { changesOf } from './changes';

describe('changed values of an audit entry', () => {
  it('are read with what they were before', () => {
    const params = {
      name: 'demo',
      'old.one_off_cost': '500',
      'new.one_off_cost': '400',
      'new.currency': 'EUR',
    };
    expect(changesOf(params)).toEqual([
      { name: 'one_off_cost', before: '500', after: '400' },
      { name: 'currency', before: null, after: 'EUR' },
    ]);
  });
});
