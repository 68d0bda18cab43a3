import i18next from 'i18next';
import { beforeAll, expect, it } from 'vitest';
import en from '../../../../locales/en.json';
import ja from '../../../../locales/ja.json';
import { formatsOf } from '../../i18n/formats';
import { INTERPOLATION } from '../../i18n/start';
import { firstNames } from './firstNames';

beforeAll(() =>
  i18next.init({
    resources: { en: { translation: en }, ja: { translation: ja } },
    interpolation: INTERPOLATION,
  }),
);
const sites = (count: number) =>
  Array.from({ length: count }, (_, at) => (at === 0 ? 'Osaka' : `s${at + 1}`));
const said = (count: number, language: string) =>
  firstNames(sites(count), i18next.getFixedT(language), formatsOf(language));

it('names a few sites, and says how many more there are', () => {
  expect(said(2, 'en')).toBe('Osaka and s2');
  expect(said(5, 'en')).toMatch(/^Osaka, s2, s3, s4,? and s5$/);
  expect(said(8, 'en')).toMatch(/^Osaka, s2, s3, s4, s5,? and 3 more$/);
  expect(said(8, 'ja')).toBe('Osaka、s2、s3、s4、s5、ほか3拠点');
});
