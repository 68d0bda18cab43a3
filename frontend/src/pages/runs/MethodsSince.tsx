/* Below the method with which an arm was launched: those that followed. */
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/client';

export function MethodsSince({ methods }: { methods: readonly Schemas['MethodFrom'][] }) {
  const { t } = useTranslation();
  return methods.map(({ round, method }) => (
    <span className="aw-sub" key={round}>
      {t('ui.amend.method_since', { round, method: t(`methods.${method}`) })}
    </span>
  ));
}
