/* How well hidden units were matched, round by round; nothing where the method does not match. */
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { RoomyPanel } from '../../components/Page';
import { useFormats } from '../../i18n/useFormats';

export function RunMatches({ run }: { run: string }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const matches = api.useQuery('get', '/api/v1/runs/{run_id}/matches', { params: { path: { run_id: run } } });
  const rounds = matches.data?.rounds ?? [];
  if (rounds.length === 0) return null;
  const columns = ['round', 'correlation', 'in_place', 'around'];
  return (
    <RoomyPanel title={t('ui.matches.title')}>
      <p className="aw-figure-summary">{t('ui.matches.text')}</p>
      <div className="aw-numbers aw-low" role="region" aria-label={t('ui.matches.title')} tabIndex={0}>
        <table className="aw-plain-table">
          <thead>
            <tr>
              {columns.map((column) => (
                <th key={column} scope="col">
                  {t(`ui.matches.${column}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rounds.map((one) => (
              <tr key={one.round}>
                <td>{formats.number(one.round)}</td>
                <td>{one.correlation.toFixed(2)}</td>
                <td>{formats.percent(one.in_place)}</td>
                <td>{formats.percent(one.cycle_inconsistency)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </RoomyPanel>
  );
}
