/* Of the settings that amendments change, what they are in the next round and after, by arm; null where nothing was changed or no
   round is left. */
import { useTranslation } from 'react-i18next';
import { api, type Schemas } from '../../api/client';
import { Pairs } from '../../components/Page';
import { useFormats } from '../../i18n/useFormats';
import { useSiteNames } from '../sites/useSiteNames';
import { plansChanged } from './amended';
import { fieldName, valueWords } from './settingWords';
import { useAmendments } from './useAmendments';

export function SettingsInForce({ pilot }: { pilot: Schemas['Pilot'] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { shown } = useSiteNames();
  const made = useAmendments(pilot.id).data;
  const amendable = api.useQuery(
    'get',
    '/api/v1/pilots/{pilot_id}/amendable',
    { params: { path: { pilot_id: pilot.id } } },
    { enabled: pilot.state === 'launched' && (made?.total ?? 0) > 0 },
  );
  const plans = plansChanged(made?.items ?? [], amendable.data?.arms ?? []);
  if (plans.length === 0) return null;
  const words = (field: string, value: (typeof plans)[number]['settings'][number][1]) => {
    const name = fieldName(field, t);
    if (value === undefined) return name;
    const said =
      typeof value === 'object' && value !== null
        ? formats.list(value.map(shown))
        : valueWords(field, field === 'topology.hub' && value !== null ? shown(String(value)) : value, t);
    return t('amendments.set', { name, value: said });
  };
  return (
    <>
      <h3>{t('ui.amend.in_force')}</h3>
      <Pairs
        facts={plans.map(({ arm, round, settings }, place) => [
          plans[place - 1]?.arm === arm ? t('ui.amend.in_force_from', { arm, round }) : arm,
          formats.settings(settings.map(([field, value]) => words(field, value))),
        ])}
      />
      <h3>{t('ui.amend.launched_with')}</h3>
    </>
  );
}
