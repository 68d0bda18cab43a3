import { expect, it } from 'vitest';
import { fitting } from './searched';

const ZONES = ['Asia/Tokyo', 'Europe/Berlin', 'Etc/UTC', 'UTC'].map((value) => ({ value, label: value }));
const names = (text: string) => fitting(ZONES, text).map(({ value }) => value);

it('finds what holds the text, however it is written', () => {
  expect(names(' tokyo ')).toEqual(['Asia/Tokyo']);
  expect(names('e')).toEqual(['Europe/Berlin', 'Etc/UTC']);
});

it('takes the entry of that very name before those that hold it', () => {
  expect(names('utc')).toEqual(['UTC']);
});

it('finds nothing for what is no entry', () => {
  expect(names('UTCTokyo')).toEqual([]);
});
