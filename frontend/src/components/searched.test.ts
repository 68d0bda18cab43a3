import { expect, it } from 'vitest';
import { fitting, meant } from './searched';

const ZONES = [
  { value: 'Antarctica/Vostok', label: 'Antarctica/Vostok' },
  { value: 'Asia/Seoul', label: 'Asia/Seoul', also: ['韓国標準時', 'GMT+9'] },
  { value: 'Asia/Tokyo', label: 'Asia/Tokyo', also: ['日本標準時', 'Japan Standard Time', 'JST', 'GMT+9'] },
  { value: 'Etc/UTC', label: 'Etc/UTC' },
  { value: 'America/New_York', label: 'America/New_York' },
  { value: 'UTC', label: 'UTC' },
];
const names = (text: string) => fitting(ZONES, text).map(({ value }) => value);

it('finds what holds the text, however it is written', () => {
  expect(names(' tokyo ')).toEqual(['Asia/Tokyo']);
  expect(names('ＴＯＫＹＯ')).toEqual(['Asia/Tokyo']);
});

it('puts what begins a word before what stands within one', () => {
  expect(names('tok')).toEqual(['Asia/Tokyo', 'Antarctica/Vostok']);
  expect(names('york')).toEqual(['America/New_York']);
});

it('puts the entry of that very name first', () => {
  expect(names('utc')).toEqual(['UTC', 'Etc/UTC']);
});

it('finds an entry by its other names', () => {
  expect(names('日本')).toEqual(['Asia/Tokyo']);
  expect(names('japan')).toEqual(['Asia/Tokyo']);
  expect(names('gmt+9')).toEqual(['Asia/Seoul', 'Asia/Tokyo']);
});

it('takes for meant what alone holds the text, or has that very name, and nothing else', () => {
  expect(meant(ZONES, 'jst')?.value).toBe('Asia/Tokyo');
  expect(meant(ZONES, 'utc')?.value).toBe('UTC');
  expect(meant(ZONES, 'gmt+9')).toBeUndefined();
  expect(meant(ZONES, 'UTCTokyo')).toBeUndefined();
});
