import { describe, expect, it } from 'vitest';
import { formatsOf } from './formats';
import { shown } from './say';

describe('values as people of a language read them', () => {
  it('bytes grow by thousands', () => {
    expect(formatsOf('en').bytes(1_534_000)).toBe('1.5 MB');
    expect(formatsOf('ja').bytes(999)).toContain('999');
  });
  it('money follows language and currency', () => {
    expect(formatsOf('ja').money('2000000', 'JPY')).toBe('￥2,000,000');
    expect(formatsOf('en').money('2.5', 'USD')).toBe('$2.50');
  });
  it('a currency that nobody knows is still an amount', () => {
    expect(formatsOf('en').money('5', 'nope')).toBe('5 nope');
  });
  it('differences have a sign, and none where there is none', () => {
    expect(formatsOf('en').points(0.0123)).toBe('+1.2');
    expect(formatsOf('en').points(0)).toBe('0.0');
  });
  it('what is not known is a dash', () => {
    expect(formatsOf('en').percent(null)).toBe('–');
  });
  it('long times are said in minutes and hours', () => {
    expect(formatsOf('en').duration(75)).toBe('1 min 15 sec');
    expect(formatsOf('en').duration(7260)).toBe('2 hr 1 min');
  });
  it('numbers inside sentences are grouped, words stay', () => {
    expect(shown({ a: 12345.6789, b: 'x', c: null }, 'en')).toEqual({ a: '12,345.6789', b: 'x', c: '' });
  });
});
