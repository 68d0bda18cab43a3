/* A change to a launched pilot from a round on: what is common; the API takes every setting. */
import { Button, MultiSelect, NumberInput, Select, Textarea } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useState, type FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { api, http, type Schemas } from '../../api/client';
import { answered, findings } from '../../api/problems';
import { useRefresh } from '../../api/session';
import { ProblemNote } from '../../components/Answer';
import { asFields, placedAt } from '../../components/fields';
import { ProblemList } from '../../components/ProblemList';
import { useFocusOnError } from '../../components/useFocusOnError';
import { METHODS } from '../runs/runFilter';
import { useFormats } from '../../i18n/useFormats';
import { useSiteNames } from '../sites/useSiteNames';
import {
  amendmentOf,
  asBlamed,
  EMPTY,
  FIELDS,
  ofArm,
  PLAIN_GRAPHS,
  settingsNow,
  unchanged,
  type AmendDraft,
} from './amendDraft';
import { MIXINGS } from '../topologies/links';
import { membersAsked, presentOf } from './amendNow';
import { ComparisonEndNote } from './ComparisonEndNote';
import { fieldName, valueWords } from './settingWords';
import { NUMBERS } from './pilotDraft';

interface Props {
  pilot: Schemas['Pilot'];
  /** Amendments so far. */
  made: readonly Schemas['PilotAmendment'][];
  done: () => void;
}

export function AmendForm({ pilot, made, done }: Props) {
  const { t } = useTranslation();
  const formats = useFormats();
  const refresh = useRefresh();
  const { shown } = useSiteNames();
  const [draft, setDraft] = useState(EMPTY);
  const [error, setError] = useState<unknown>(null);
  const [sent, setSent] = useState(EMPTY);
  const [busy, setBusy] = useState(false);
  const form = useFocusOnError(error);
  const change = (part: Partial<AmendDraft>) => setDraft((known) => ({ ...known, ...part }));
  const problems = placedAt(findings(error, shown).map(asBlamed), FIELDS);
  const open = unchanged(problems, sent, draft);
  const fields = asFields(open);

  const amendable = api.useQuery('get', '/api/v1/pilots/{pilot_id}/amendable', {
    params: { path: { pilot_id: pilot.id } },
  });
  // Another arm that trains alone may be turned into one that merges; the control arm stays one.
  const control = pilot.spec.arms.find(({ method }) => method === 'local_only')?.name;
  const neverMerges = (name: string) =>
    pilot.spec.arms.some((arm) => arm.name === name && arm.method === 'local_only') &&
    !made.some((one) => one.state === 'in_force' && one.arm === name && one.patch.method);
  const trainsAlone = control !== undefined && draft.arm === control;
  const arms = amendable.data?.arms ?? [];
  const now = settingsNow(pilot.spec, made, draft);
  const present = presentOf(arms, neverMerges, draft, now);
  // Below the label: in the field a long name would be cut.
  const keeps = (field: string) => {
    const value = present.value(field);
    return value == null ? null : t('ui.amend.unchanged', { value: valueWords(field, value, t) });
  };
  const canWeigh = draft.topology !== '' || now.topology !== null;

  const send = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    setSent(draft);
    const answer = await answered(
      http.POST('/api/v1/pilots/{pilot_id}/amendments', {
        params: { path: { pilot_id: pilot.id } },
        body: amendmentOf({ ...draft, members: membersAsked(draft.members, present.members) }, now),
      }),
    );
    setBusy(false);
    if (!answer.data) {
      setError(answer.error);
      return;
    }
    const { from_round: begins } = answer.data;
    notifications.show({
      message: begins === null ? t('ui.amend.asked') : t('ui.amend.asked_from', { round: begins }),
    });
    refresh('/api/v1/pilots');
    done();
  };
  const choice = (
    name: string,
    key: 'method' | 'topology' | 'mixing' | 'numbers' | 'compress' | 'deltas',
    data: Option[],
    more: { disabled?: boolean; description?: string } = {},
  ) => (
    <Select
      label={fieldName(name, t)}
      data={data}
      value={draft[key] || null}
      placeholder={t('ui.amend.as_it_is')}
      onChange={(value) => change({ [key]: value ?? '' })}
      clearable
      disabled={more.disabled ?? false}
      description={formats.sentences([keeps(name), more.description]) || undefined}
      {...fields.at(`patch.${name}`)}
    />
  );
  const number = (
    label: string,
    path: string,
    key: 'fromRound' | 'mergeEvery' | 'epochs' | 'lr' | 'momentum',
    placeholder: string,
    description?: string,
  ) => (
    <NumberInput
      label={label}
      description={description}
      value={draft[key]}
      placeholder={placeholder}
      onChange={(value) => change({ [key]: value === '' ? '' : Number(value) })}
      allowDecimal={key === 'lr' || key === 'momentum'}
      step={key === 'lr' ? 0.01 : key === 'momentum' ? 0.1 : 1}
      decimalScale={6}
      stepHoldDelay={400}
      stepHoldInterval={80}
      {...fields.at(path)}
    />
  );
  const setting = (name: string, key: 'mergeEvery' | 'epochs' | 'lr' | 'momentum') =>
    number(fieldName(name, t), `patch.${name}`, key, t('ui.amend.as_it_is'), keeps(name) ?? undefined);
  const { nextRound: round, firstFree: first } = present;
  const soonest =
    round === null || draft.fromRound !== ''
      ? undefined
      : first === round
        ? t('ui.amend.soonest', { round })
        : first === null
          ? t('ui.amend.next_or_none', { round })
          : t('ui.amend.next_or_first', { round, first });
  // The closed-form head is how an arm ends, not how it merges.
  const merging = METHODS.filter((method) => method !== 'ridge_head');
  return (
    <form ref={form} className="aw-stack" noValidate onSubmit={(event) => void send(event)}>
      <p className="aw-soft aw-small aw-first">{t('ui.amend.help')}</p>
      {fields.problems.length > 0 ? (
        <ProblemList problems={fields.problems} />
      ) : error && (open.length > 0 || problems.length === 0) ? (
        <ProblemNote error={error} site={shown} />
      ) : null}
      <div className="aw-fields">
        <Select
          label={t('ui.arm')}
          data={[
            { value: '', label: t('amendments.every_arm') },
            ...pilot.spec.arms.map(({ name }) => ({ value: name, label: name })),
          ]}
          value={draft.arm}
          onChange={(value) => change(ofArm(draft, value ?? '', value === control))}
          allowDeselect={false}
          {...fields.at('arm')}
        />
        {number(t('ui.amend.from_round'), 'from_round', 'fromRound', t('ui.amend.next'), soonest)}
        {trainsAlone ? null : (
          <>
            {choice(
              'method',
              'method',
              merging.map((value) => ({ value, label: t(`methods.${value}`) })),
            )}
            {choice(
              'topology.kind',
              'topology',
              PLAIN_GRAPHS.map((value) => ({ value, label: t(`ui.topology.kind_${value}`) })),
            )}
            {choice(
              'topology.mixing',
              'mixing',
              MIXINGS.map((value) => ({ value, label: t(`ui.topology.mixing_${value}`) })),
              {
                disabled: !canWeigh,
                description: t(canWeigh ? 'ui.amend.mixing_help' : 'ui.amend.mixing_ask'),
              },
            )}
            {setting('merge.merge_every', 'mergeEvery')}
            {choice(
              'merge.wire.numbers',
              'numbers',
              NUMBERS.map((value) => ({ value, label: t(`ui.new.numbers_${value}`) })),
            )}
            {choice(
              'merge.wire.compress',
              'compress',
              (['yes', 'no'] as const).map((value) => ({ value, label: t(`ui.${value}`) })),
            )}
            {choice(
              'merge.wire.deltas',
              'deltas',
              (['yes', 'no'] as const).map((value) => ({ value, label: t(`ui.${value}`) })),
              { description: t('ui.amend.deltas_help') },
            )}
          </>
        )}
        {setting('train.epochs', 'epochs')}
        {setting('train.lr', 'lr')}
        {setting('train.momentum', 'momentum')}
      </div>
      {draft.arm === '' ? (
        <MultiSelect
          label={t('ui.amend.members')}
          description={t('ui.amend.members_help')}
          data={pilot.spec.sites.map(({ name }) => ({ value: name, label: shown(name) }))}
          value={draft.members.length > 0 ? draft.members : [...present.members]}
          onChange={(members) => change({ members })}
          clearable
          searchable
          nothingFoundMessage={t('ui.nothing_found')}
          {...fields.at('patch.members')}
        />
      ) : null}
      <Textarea
        label={t('ui.amend.why')}
        description={t('ui.amend.why_help')}
        required
        value={draft.why}
        onChange={(event) => change({ why: event.currentTarget.value.replaceAll('\n', ' ') })}
        autosize
        minRows={2}
        maxLength={2000}
        {...fields.at('why')}
      />
      <ComparisonEndNote pilot={pilot} arms={arms} made={made} draft={draft} now={now} present={present} />
      <div className="aw-actions">
        <Button type="submit" loading={busy}>
          {t('ui.amend.send')}
        </Button>
        <Button variant="default" onClick={done}>
          {t('ui.back')}
        </Button>
      </div>
    </form>
  );
}

interface Option {
  value: string;
  label: string;
}
