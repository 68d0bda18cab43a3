import { describe, expect, it } from 'vitest';
import { awayKey } from './awayKeys';

describe('what runs do without sites that are away', () => {
  it('is that they go on, where the policy says so and enough are left', () => {
    expect(awayKey('skip', ['kobe'], [['osaka', 'nara', 'kobe']])).toBe('away_skip');
  });
  it('is that they end, where fewer than 2 would be left', () => {
    expect(awayKey('skip', ['kobe'], [['osaka', 'kobe']])).toBe('away_skip_short');
    expect(awayKey('skip', ['kobe', 'nara'], [['osaka', 'nara', 'kobe']])).toBe('away_skip_short');
  });
  it('may differ by run, as others were left out there before', () => {
    const runs = [
      ['osaka', 'nara', 'kobe'],
      ['osaka', 'kobe'],
    ];
    expect(awayKey('skip', ['kobe'], runs)).toBe('away_skip_short_some');
    expect(awayKey('skip', ['nara'], [['osaka', 'nara', 'kobe'], ['osaka', 'kobe']])).toBe('away_skip'); // prettier-ignore
  });
  it('is what the policy says in all other pilots, however many are left', () => {
    expect(awayKey('wait', ['kobe'], [['osaka', 'kobe']])).toBe('away_wait');
    expect(awayKey('stop', ['kobe'], [['osaka', 'kobe']])).toBe('away_stop');
  });
});
