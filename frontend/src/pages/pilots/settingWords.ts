/* One setting that an amendment changes, in words; `words` of backend/runs/settings_changed.py says the same on charts. Pure. */
import type { TFunction } from 'i18next';
import type { Schemas } from '../../api/client';
import type { Params } from '../../i18n/named';

type Change = Omit<Schemas['SettingChange'], 'limited'>;
type Patch = Schemas['PilotAmendment']['patch'];

// Where a value is a code, how it is called.
const NAMED: Readonly<Record<string, (t: TFunction, value: string) => string>> = {
  method: (t, value) => t(`methods.${value}`),
  'topology.kind': (t, value) => t(`ui.topology.kind_${value}`),
  'topology.mixing': (t, value) => t(`ui.topology.mixing_${value}`),
  'train.loss': (t, value) => t(`ui.new.loss_${value}`),
  'train.class_weights': (t, value) => t(`ui.new.class_weights_${value}`),
  'merge.wire.numbers': (t, value) => t(`ui.new.numbers_${value}`),
  'merge.over': (t, value) => t(`amendments.values.${value}`),
};

export function fieldName(field: string, t: TFunction): string {
  // Below this name stand the ways in which it changes.
  return field === 'members' ? t('ui.amend.members') : t(`amendments.fields.${field}`);
}

export function valueWords(field: string, value: Change['old'], t: TFunction): string {
  if (value === null) return '–';
  if (typeof value === 'boolean') return t(value ? 'ui.yes' : 'ui.no');
  return typeof value === 'string' ? (NAMED[field]?.(t, value) ?? value) : String(value);
}

export function settingWords(change: Change, t: TFunction): string {
  const name = fieldName(change.field, t);
  if (change.old === null && change.new === null) return name;
  if (change.field.startsWith('members.'))
    return t('amendments.set', {
      name,
      value: String(change.new).replaceAll(', ', t('figures.between_names')),
    });
  const said = (value: Change['old']) => valueWords(change.field, value, t);
  if (change.stays)
    return t('amendments.stays', { name, new: said(change.new), otherwise: said(change.otherwise) });
  return t('amendments.change', { name, old: said(change.old), new: said(change.new) });
}

/** What an entry of the audit says of an amendment: `old.<field>`, where arms had one value, and `new.<field>`. */
export function changedWords(params: Params, t: TFunction): string[] {
  return Object.entries(params)
    .filter(([key]) => key.startsWith('new.'))
    .map(([key, value]) => {
      const field = key.slice('new.'.length);
      const old = params[`old.${field}`] ?? null;
      const now = value ?? null;
      return old === null && now !== null && !field.startsWith('members.')
        ? t('amendments.set', { name: fieldName(field, t), value: valueWords(field, now, t) })
        : settingWords({ field, old, new: now, stays: false, otherwise: null }, t);
    });
}

/** What an amendment sets, whatever comes of it. `sites`: names of sites as a sentence says them. */
export function askedWords(
  patch: Patch,
  t: TFunction,
  sites: (names: readonly string[]) => string,
): string[] {
  return leaves(patch).map(([field, value]) => {
    const name = fieldName(field, t);
    if (field === 'members') return t('amendments.set', { name, value: sites(value as string[]) });
    if (field === 'topology.hub') return t('amendments.set', { name, value: sites([String(value)]) });
    if (field === 'topology.links') return t('amendments.set', { name, value: (value as unknown[]).length });
    const said = Array.isArray(value) ? t('amendments.values.given') : valueWords(field, value, t);
    return t('amendments.set', { name, value: said });
  });
}

/** What is null or empty says nothing. */
function leaves(patch: object, above = ''): [string, Change['old'] | unknown[]][] {
  return Object.entries(patch).flatMap(([name, value]) =>
    value === null || (Array.isArray(value) && value.length === 0)
      ? []
      : typeof value === 'object' && !Array.isArray(value)
        ? leaves(value as object, `${above}${name}.`)
        : [[above + name, value as Change['old'] | unknown[]]],
  );
}
