import { expect, it } from 'vitest';
import { namesOf, zoneIds, zoneNames } from './zoneNames';

it('names a zone in both languages, that of the page first', () => {
  expect(namesOf('Asia/Tokyo', 'ja')).toEqual(['日本標準時', 'JST', 'Japan Standard Time', 'GMT+9']);
  expect(namesOf('Asia/Tokyo', 'en')).toEqual(['Japan Standard Time', 'GMT+9', '日本標準時', 'JST']);
});

it('is worked out once for all zones', async () => {
  const names = await zoneNames('ja');
  expect([...names.keys()]).toEqual(zoneIds());
  expect(zoneNames('ja')).toBe(zoneNames('ja'));
});

it('lists a stored zone that the browser does not know', () => {
  expect(zoneIds('Mars/Olympus')).toContain('Mars/Olympus');
});
