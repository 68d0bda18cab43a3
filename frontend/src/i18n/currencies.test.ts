import { describe, expect, it } from 'vitest';
import { currencies } from './currencies';

const unknown = (code: string) => `${code} (unknown)`;

describe('currencies to choose from', () => {
  it('are named in the language of the page', () => {
    expect(currencies('en', '', unknown)[0]).toEqual({ value: 'JPY', label: 'JPY – Japanese Yen' });
    expect(currencies('ja', '', unknown)[0]).toEqual({ value: 'JPY', label: 'JPY – 日本円' });
  });
  it('are many, each once', () => {
    const codes = currencies('en', 'EUR', unknown).map((one) => one.value);
    expect(codes.length).toBeGreaterThan(100);
    expect(new Set(codes).size).toBe(codes.length);
  });
  it('keep a stored code that nobody knows', () => {
    expect(currencies('en', 'YEN', unknown)[0]).toEqual({ value: 'YEN', label: 'YEN (unknown)' });
  });
});
