import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInstance } from 'i18next';
import { describe, expect, it } from 'vitest';
import en from '../../../locales/en.json';
import ja from '../../../locales/ja.json';
import { INTERPOLATION, noun } from './start';

type Tree = { [key: string]: string | Tree };
const SOURCE = join(import.meta.dirname, '..');

function leaves(tree: Tree, path = ''): Map<string, string> {
  return new Map(
    Object.entries(tree).flatMap(([key, value]) =>
      typeof value === 'string' ? [[path + key, value] as const] : [...leaves(value, `${path}${key}.`)],
    ),
  );
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => /\.tsx?$/.test(entry.name) && !entry.name.includes('.test.'))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
}

const english = leaves(en as Tree);
const japanese = leaves(ja as Tree);
const used = new Set(sources(SOURCE).flatMap((text) => [...text.matchAll(/['"`]((?:ui|roi|figures|methods|states)\.[^'"`\s]+)['"`]/g)].map((hit) => hit[1] ?? ''))); // prettier-ignore

describe('the catalogue', () => {
  it('has every sentence of the pages in both languages', () => {
    const own = (all: Map<string, string>) => [...all.keys()].filter((key) => key.startsWith('ui.')).sort();
    expect(own(japanese)).toEqual(own(english));
  });
  it('names the same values in both languages', () => {
    const places = (text = '') =>
      [...new Set([...text.matchAll(/\{(\w+)[^{}]*\}/g)].map((hit) => hit[1]))].sort();
    const different = [...english.keys()].filter(
      (key) =>
        key.startsWith('ui.') && String(places(english.get(key))) !== String(places(japanese.get(key))),
    );
    expect(different).toEqual([]);
  });
  it('knows every key that the pages use', () => {
    const known = [...english.keys()];
    const missing = [...used].filter((key) => {
      const pattern = key.split(/\$\{[^}]*\}/).map((part) => part.replace(/[.]/g, '\\.')).join('[^.]+'); // prettier-ignore
      return !known.some((name) => new RegExp(`^${pattern}(\\..+)?$`).test(name));
    });
    expect(missing).toEqual([]);
  });
  it('holds no sentence of the pages that no page uses', () => {
    const patterns = [...used].map(
      (key) => new RegExp(`^${key.split(/\$\{[^}]*\}/).map((part) => part.replace(/[.]/g, '\\.')).join('.+')}(\\..+)?$`), // prettier-ignore
    );
    const idle = [...english.keys()].filter(
      (key) => key.startsWith('ui.') && !patterns.some((pattern) => pattern.test(key)),
    );
    expect(idle).toEqual([]);
  });
  it('says a noun as its number wants it', () => {
    const language = createInstance();
    void language.init({
      resources: { en: { translation: en } },
      lng: 'en',
      interpolation: INTERPOLATION,
      initAsync: false,
    });
    language.services.formatter?.add('noun', noun);
    const said = (number: string) =>
      language.t('ui.pilots.counts', { sites: '2', arms: number, rounds: number });
    expect(said('1')).toBe('2 sites · 1 arm · 1 round');
    expect(said('8')).toBe('2 sites · 8 arms · 8 rounds');
  });
});
