import { createInstance } from 'i18next';
import { describe, expect, it } from 'vitest';
import en from '../../../locales/en.json';
import ja from '../../../locales/ja.json';
import { named } from './named';
import { INTERPOLATION } from './start';

const japanese = createInstance();
void japanese.init({
  resources: { ja: { translation: ja }, en: { translation: en } },
  lng: 'ja',
  interpolation: INTERPOLATION,
  initAsync: false,
});

describe('codes inside sentences', () => {
  it('are said as people call them', () => {
    expect(named('not_found', { thing: 'pilot', id: '1' }, japanese)).toEqual({
      thing: 'パイロット',
      id: '1',
    });
    expect(named('role_too_high', { role: 'viewer' }, japanese).role).toBe('閲覧者');
    expect(named('run_has_ended', { state: 'completed' }, japanese).state).toBe('完了');
    const moved = named('illegal_move', { thing: 'run', state: 'failed', following: 'running' }, japanese);
    expect(moved).toEqual({ thing: '実行', state: '失敗', following: '実行中' });
  });
  it('stand within a sentence, not at its beginning', () => {
    const english = { exists: japanese.exists, t: japanese.getFixedT('en') };
    expect(named('run_has_ended', { state: 'completed' }, english).state).toBe('completed');
  });
  it('name a site as its people do', () => {
    const given = { site: 'site-01', rows: 0, side: 'training', needed: 9000 };
    const site = (name: string) => (name === 'site-01' ? '大阪工場' : name);
    expect(named('too_few_rows', given, japanese, site)).toMatchObject({ site: '大阪工場', side: '学習' });
    expect(named('too_few_rows', given, japanese).site).toBe('site-01');
  });
  it('stay as they are where nobody has a name for them', () => {
    expect(named('unexpected_error', { kind: 'ValueError' }, japanese)).toEqual({ kind: 'ValueError' });
  });
});
