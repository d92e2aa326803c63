import { Box, Link } from "@chakra-ui/react";
import { Link as RouterLink } from "react-router-dom";

import { useStale } from "../api/live";
import { useStatus } from "../api/queries";
import { Failure } from "../shared/Failure";
import { Hero, HeroSkeleton } from "../overview/Hero";

/** The card on Airflow's dashboard: the one sentence and its numbers. */
export const Overview = () => {
  const status = useStatus();
  const stale = useStale(status);
  const { data, error, isPending, refetch } = status;

  return (
    <Box aria-label="Backups" as="section" borderWidth="1px" data-backup="card" p="4" rounded="lg" width="full">
      {data === undefined ? (
        isPending ? (
          <HeroSkeleton />
        ) : (
          <Failure error={error} onRetry={() => void refetch()} what="The state of your backups" />
        )
      ) : (
        <>
          <Hero isCard stale={stale} status={data} />
          <Link asChild color="fg.info" fontSize="sm" mt="3">
            <RouterLink to="/plugin/backup">Open Backups</RouterLink>
          </Link>
        </>
      )}
    </Box>
  );
};
