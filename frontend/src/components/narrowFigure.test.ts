import { expect, test } from 'vitest';
import { narrowed } from './narrowFigure';

const map = (columns: number) => ({
  type: 'heatmap',
  x: Array.from({ length: columns }, (_, at) => at),
  texttemplate: '%{z}',
});

test('a map with many columns shows no numbers where they would overlap', () => {
  const [many, few, bars] = narrowed([
    map(8),
    map(4),
    { type: 'bar', texttemplate: '%{y}', x: [...'abcdefgh'] },
  ]);
  expect(many).toEqual({ ...map(8), texttemplate: '' });
  expect(few).toEqual(map(4));
  expect(bars?.texttemplate).toBe('%{y}');
});
