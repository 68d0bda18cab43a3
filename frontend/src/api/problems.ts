/* What went wrong, in the reader's language and at the field it belongs to. */
import { formatsOf } from '../i18n/formats';
import i18next from 'i18next';
import { named, type Params } from '../i18n/named';
import { shown } from '../i18n/say';
import type { Problem } from './client';

export interface Said {
  title: string;
  remedy: string | null;
  code: string;
}

/** A problem as a sentence and what to do; anything that is no problem+json (no answer at all) too. */
export function sayProblem(error: unknown, site?: (name: string) => string): Said {
  if (!isProblem(error)) {
    return {
      title: i18next.t('ui.error.unreachable'),
      remedy: i18next.t('ui.error.unreachable_remedy'),
      code: 'unreachable',
    };
  }
  return sayCode(error.code, error.params, error.title, error.remedy, site);
}

/** An answer also where none came: a lost connection is told like a refusal, and what waits for it goes on. */
export function answered<T>(sent: Promise<T>): Promise<T | { data: undefined; error: unknown }> {
  return sent.catch((problem: unknown) => ({ data: undefined, error: problem }));
}

/** Whether a change was refused because somebody else made one since the thing was read. */
export function isStale(error: unknown): boolean {
  return isProblem(error) && error.code === 'stale_revision';
}

export function isProblem(error: unknown): error is Problem {
  return typeof error === 'object' && error !== null && 'code' in error && 'status' in error;
}

/** One bad value: its dotted place in the body, or null, and what is wrong with it. */
export interface Finding {
  field: string | null;
  code: string;
  params: Params;
  sentence: string;
}

/** Every bad value that the server named. `site`: what people call a site. */
export function findings(error: unknown, site?: (name: string) => string): Finding[] {
  if (!isProblem(error)) return [];
  return (error.errors.length > 0 ? error.errors : [error]).map((one) => {
    const said = sayCode(one.code, one.params, one.title, one.remedy, site);
    return {
      field: one.field,
      code: one.code,
      params: one.params,
      sentence: formatsOf(i18next.language).sentences([said.title, said.remedy]),
    };
  });
}

/** Field (dotted) -> sentence, the first of each field. */
export function fieldErrors(error: unknown, site?: (name: string) => string): Map<string, string> {
  const found = new Map<string, string>();
  for (const { field, sentence } of findings(error, site)) {
    if (field !== null && !found.has(field)) found.set(field, sentence);
  }
  return found;
}

/** The first sentence whose field is `field` or lies below it. */
export function errorAt(errors: Map<string, string>, ...fields: string[]): string | undefined {
  for (const field of fields) {
    for (const [name, sentence] of errors) {
      if (name === field || name.startsWith(`${field}.`)) return sentence;
    }
  }
  return undefined;
}

// An empty input that must be filled in is missing; its pattern, length or kind is of no interest yet.
const OF_EMPTY: Readonly<Record<string, string>> = {
  name_pattern: '',
  string_pattern_mismatch: '',
  string_too_short: '',
  int_type: 'null',
  float_type: 'null',
  decimal_type: 'null',
};

function sayCode(
  code: string,
  params: Params,
  title: string,
  remedy: string | null,
  site?: (name: string) => string,
): Said {
  const empty = params.value !== undefined && OF_EMPTY[code] === params.value;
  const said = empty || code === 'topology_option_missing' ? 'missing' : code;
  const known = `errors.${said}.title`;
  if (!i18next.exists(known)) return { title, remedy, code };
  const help = `errors.${said}.remedy`;
  const values = shown(named(code, params, i18next, site), i18next.language);
  return {
    title: i18next.t(known, values),
    remedy: i18next.exists(help) ? i18next.t(help, values) : remedy,
    code,
  };
}
