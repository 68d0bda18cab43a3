import { createInstance } from 'i18next';
import { expect, it } from 'vitest';
import en from '../../../locales/en.json';
import { sayIn } from './say';
import { INTERPOLATION } from './start';

const english = createInstance();
void english.init({
  resources: { en: { translation: en } },
  lng: 'en',
  interpolation: INTERPOLATION,
  initAsync: false,
});

it('an event of a run that failed tells its reason, where it is known', () => {
  const say = sayIn(english);
  const reason = { code: 'site_revoked', params: { site: 'Plant 7' } };
  const told = { code: 'run_failed', params: { ...reason.params, arm: 'dimat', because: reason.code } };
  expect(say('events', told)).toBe(`The run dimat failed. ${say('reasons', reason)}`);
  expect(say('events', told)).toContain("The site 'Plant 7' was revoked");
  expect(say('events', { code: 'run_failed', params: { arm: 'dimat' } })).toBe('The run dimat failed.');
});
